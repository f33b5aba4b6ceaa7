-- Gas that the token paymaster advances: one row per signature in mode ERC20 until its operation is mined and charged, or
-- can never be mined. An operation that was mined and not charged leaves what the account owes.
CREATE TABLE IF NOT EXISTS token_advances (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chain_id BIGINT NOT NULL,
    user_op_hash TEXT NOT NULL,
    account TEXT NOT NULL,
    token TEXT NOT NULL,
    nonce TEXT NOT NULL,
    paymaster TEXT NOT NULL,
    -- Who asked: an address.
    caller TEXT,
    decided_at BIGINT NOT NULL,
    valid_until BIGINT NOT NULL,
    -- 'open': may be mined. 'lapsed': may not, but the blocks were not read yet. 'owed': mined and not charged.
    state TEXT NOT NULL CHECK (state IN ('open', 'lapsed', 'owed')),
    -- What it takes of the limits now, gwei rounded up.
    reserved BIGINT NOT NULL,
    -- The most that it can be charged, then what is owed, smallest units of the token as decimal text.
    amount TEXT NOT NULL,
    -- Where it was mined and not charged.
    block BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS token_advances_operation ON token_advances (chain_id, user_op_hash);
CREATE INDEX IF NOT EXISTS token_advances_account ON token_advances (chain_id, account);
CREATE INDEX IF NOT EXISTS token_advances_caller ON token_advances (chain_id, caller);
CREATE INDEX IF NOT EXISTS token_advances_state ON token_advances (chain_id, state, valid_until);

-- Whoever advances locks the chain's row, so that the limits hold however many servers ask at once.
CREATE TABLE IF NOT EXISTS token_advance_turns (
    chain_id BIGINT PRIMARY KEY,
    turn BIGINT NOT NULL
);
