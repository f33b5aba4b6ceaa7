-- Every decision of the sponsorship policy. Times are unix seconds, costs wei as decimal text,
-- addresses and hashes lower-case hex with 0x.
CREATE TABLE IF NOT EXISTS sponsorships (
    id INTEGER PRIMARY KEY,
    chain_id BIGINT NOT NULL,
    decided_at BIGINT NOT NULL,
    -- UTC day, days since 1970: the day whose budgets pay.
    day BIGINT NOT NULL,
    mode TEXT NOT NULL,
    account TEXT NOT NULL,
    -- Of the operation as it was signed; for a refusal, of the operation as it came.
    user_op_hash TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('granted', 'refused')),
    reason TEXT,
    max_cost TEXT NOT NULL,
    policy_version TEXT NOT NULL,
    api_key TEXT,
    -- JSON: what each webhook answered.
    webhooks TEXT,
    -- What became of the reservation; 'none' when there was none.
    state TEXT NOT NULL CHECK (state IN ('none', 'reserved', 'settled', 'released')),
    -- What it takes of its day's budgets now, gwei rounded up: the most it may cost, then what it did cost, or 0.
    reserved BIGINT NOT NULL,
    valid_until BIGINT NOT NULL,
    -- The contract that pays, by whose events the reservation is settled.
    paymaster TEXT,
    actual_cost TEXT,
    transaction_hash TEXT,
    settled_at BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS sponsorships_granted ON sponsorships (chain_id, user_op_hash) WHERE outcome = 'granted';
CREATE INDEX IF NOT EXISTS sponsorships_open ON sponsorships (chain_id, valid_until) WHERE state = 'reserved';
CREATE INDEX IF NOT EXISTS sponsorships_account ON sponsorships (chain_id, account, decided_at);

-- What is reserved and spent, per day and scope ('global', 'account:0x…', 'key:…'), gwei.
CREATE TABLE IF NOT EXISTS sponsor_budgets (
    chain_id BIGINT NOT NULL,
    day BIGINT NOT NULL,
    scope TEXT NOT NULL,
    used BIGINT NOT NULL,
    PRIMARY KEY (chain_id, day, scope)
);

-- The last block whose receipts were looked through.
CREATE TABLE IF NOT EXISTS sponsor_cursors (
    chain_id BIGINT PRIMARY KEY,
    block BIGINT NOT NULL
);
