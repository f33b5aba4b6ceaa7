-- Which entry point the operation is for: nonces of one say nothing of those of another. What was there before was for v0.6.
ALTER TABLE sponsorships ADD COLUMN entry_point TEXT NOT NULL DEFAULT '0.6';
-- The last block read for all entry points. Servers of earlier versions move sponsor_cursors, and read v0.6 alone.
CREATE TABLE sponsor_cursors_of_both (chain_id BIGINT PRIMARY KEY, block BIGINT NOT NULL);
INSERT INTO sponsor_cursors_of_both (chain_id, block) SELECT chain_id, block FROM sponsor_cursors;
