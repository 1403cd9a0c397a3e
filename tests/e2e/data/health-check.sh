#!/bin/bash
# health-check.sh

set -e

API_URL="${API_URL:-https://api.llm-research-lab.io}"
TIMEOUT=10

echo "Starting health verification..."

# 1. Liveness check
echo "Checking liveness..."
curl -sf --max-time $TIMEOUT "${API_URL}/health" || {
  echo "FAILED: Liveness check"
  exit 1
}
echo "OK: Liveness"

# 2. Readiness check
echo "Checking readiness..."
READY_RESPONSE=$(curl -sf --max-time $TIMEOUT "${API_URL}/health/ready")
if ! echo "$READY_RESPONSE" | jq -e '.status == "healthy"' > /dev/null; then
  echo "FAILED: Readiness check"
  echo "$READY_RESPONSE"
  exit 1
fi
echo "OK: Readiness"

# 3. API endpoint verification
echo "Checking API endpoints..."

# Models endpoint
curl -sf --max-time $TIMEOUT "${API_URL}/models/providers" \
  -H "Authorization: Bearer ${TEST_TOKEN}" || {
  echo "FAILED: Models providers endpoint"
  exit 1
}
echo "OK: Models endpoint"

# 4. Database connectivity
echo "Checking database via API..."
EXPERIMENTS=$(curl -sf --max-time $TIMEOUT "${API_URL}/experiments?limit=1" \
  -H "Authorization: Bearer ${TEST_TOKEN}")
if [ $? -ne 0 ]; then
  echo "FAILED: Database connectivity"
  exit 1
fi
echo "OK: Database"

# 5. Metrics endpoint
echo "Checking metrics..."
METRICS=$(curl -sf --max-time $TIMEOUT "${API_URL}/metrics")
if ! echo "$METRICS" | grep -q "http_requests_total"; then
  echo "FAILED: Metrics endpoint"
  exit 1
fi
echo "OK: Metrics"

# 6. Response time check
echo "Checking response times..."
for i in {1..5}; do
  TIME=$(curl -o /dev/null -sf -w '%{time_total}' --max-time $TIMEOUT "${API_URL}/health")
  if (( $(echo "$TIME > 1.0" | bc -l) )); then
    echo "WARNING: Slow response time: ${TIME}s"
  fi
done
echo "OK: Response times acceptable"

echo ""
echo "========================================="
echo "All health checks passed!"
echo "========================================="
