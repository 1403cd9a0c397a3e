-- Samples that clients report are read, and numbered, in the order they came.
CREATE UNIQUE INDEX client_samples_by_number ON client_samples (run, number);
