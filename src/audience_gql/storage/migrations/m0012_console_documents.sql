-- Whether a token that is limited to trusted documents may run the console's documents, too. It means nothing for other tokens.
ALTER TABLE api_tokens ADD COLUMN with_console_documents boolean NOT NULL DEFAULT false;
