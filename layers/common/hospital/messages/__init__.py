"""Messages: announced once, kept in the mini-program's inbox, sent by the worker as subscription messages."""
