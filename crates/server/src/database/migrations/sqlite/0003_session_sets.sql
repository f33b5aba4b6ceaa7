-- Leaf sets by the root that they make, as accounts had it on chain. Nothing in them is secret.
CREATE TABLE IF NOT EXISTS session_sets (
    chain_id BIGINT NOT NULL,
    account TEXT NOT NULL,
    root TEXT NOT NULL,
    -- JSON: the leaves' bytes in tree order, hex.
    leaves TEXT NOT NULL,
    -- Unix seconds; the newest sets of an account are kept.
    published_at BIGINT NOT NULL,
    PRIMARY KEY (chain_id, account, root)
);
