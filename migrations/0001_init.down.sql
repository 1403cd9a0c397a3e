DROP TABLE artifacts, metric_values, client_samples, service_settings, idempotency_keys, audit_log,
    provider_credentials, api_keys, revoked_tokens, login_sessions, users, evaluations,
    prompt_versions, prompt_templates, models, carried, uncertain, intents, samples, runs,
    experiments, dataset_versions, datasets, orgs;
DROP FUNCTION refuse_update_of_audit_log();
