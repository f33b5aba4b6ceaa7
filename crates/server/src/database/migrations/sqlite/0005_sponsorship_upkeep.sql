-- Who asked: an address, kept only while the row is reserved.
ALTER TABLE sponsorships ADD COLUMN caller TEXT;
-- What was taken for an operation in mode ERC20: the token, and its smallest units as decimal text.
ALTER TABLE sponsorships ADD COLUMN token TEXT;
ALTER TABLE sponsorships ADD COLUMN charged TEXT;
CREATE INDEX IF NOT EXISTS sponsorships_open_account ON sponsorships (chain_id, account) WHERE state = 'reserved';
CREATE INDEX IF NOT EXISTS sponsorships_open_caller ON sponsorships (chain_id, caller) WHERE state = 'reserved';
CREATE INDEX IF NOT EXISTS sponsorships_age ON sponsorships (chain_id, decided_at);
