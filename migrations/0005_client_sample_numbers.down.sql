DROP INDEX client_samples_by_number;
