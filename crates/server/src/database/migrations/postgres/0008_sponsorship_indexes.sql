-- What an account did cost on a day, and what is unsettled, without reading refusals: those may be many.
CREATE INDEX sponsorships_of_account_and_day ON sponsorships (chain_id, account, day)
    WHERE state IN ('reserved', 'settled');
CREATE INDEX sponsorships_unsettled ON sponsorships (chain_id, valid_until)
    WHERE state = 'reserved';
