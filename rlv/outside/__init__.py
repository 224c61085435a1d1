"""Names, files, text and templates that come from outside: each has one way in, which checks it."""
