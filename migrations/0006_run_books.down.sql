DROP TABLE run_books;
