-- The last block read for all entry points. Servers of earlier versions move sponsor_cursors, and read v0.6 alone.
CREATE TABLE sponsor_cursors_of_both (chain_id INTEGER PRIMARY KEY, block INTEGER NOT NULL);
INSERT INTO sponsor_cursors_of_both (chain_id, block) SELECT chain_id, block FROM sponsor_cursors;
-- Whose signatures were given back of late: asked each time blocks are read.
CREATE INDEX sponsorships_released ON sponsorships (chain_id, valid_until) WHERE state = 'released';
