-- Keys of the JSON-RPC paths. Times are unix seconds. The secret itself is not kept.
CREATE TABLE IF NOT EXISTS api_keys (
    id TEXT PRIMARY KEY,
    chain_id BIGINT NOT NULL,
    label TEXT NOT NULL,
    -- keccak-256 of the secret half, hex.
    secret_hash TEXT NOT NULL,
    -- Comma-separated: bundler, paymaster.
    scopes TEXT NOT NULL,
    requests_per_minute BIGINT,
    -- Sponsored per UTC day, wei as decimal text.
    budget_per_day TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);
