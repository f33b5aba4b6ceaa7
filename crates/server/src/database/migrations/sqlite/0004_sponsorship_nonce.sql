-- Of the operation, decimal: of several with one nonce, one at most is mined.
ALTER TABLE sponsorships ADD COLUMN nonce TEXT;
