-- Which entry point the operation is for: nonces of one say nothing of those of another. What was there before was for v0.6.
ALTER TABLE sponsorships ADD COLUMN entry_point TEXT NOT NULL DEFAULT '0.6';
