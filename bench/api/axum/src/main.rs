//! The yardstick of GET /experiments: axum and sqlx over the same SQLite file, written as their
//! users write it. It does what the product does for that one request: the bearer token is verified
//! (HS256, issuer, audience, expiry) and its user looked up, both kept for 1.5 s; a page of one, the
//! number of all, a signed cursor, links; the same security headers and a request id.
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Query, State};
use axum::http::{header, HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use hmac::{Hmac, Mac};
use jsonwebtoken::{decode, Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{json, Map, Value};
use sha2::{Digest, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{FromRow, SqlitePool};

const CACHE_LIFE: Duration = Duration::from_millis(1500);

#[derive(Deserialize)]
struct Claims {
    sub: String,
    jti: String,
}

#[derive(Clone)]
struct Principal {
    org: i64,
    user: String,
    is_admin: bool,
}

struct App {
    pool: SqlitePool,
    key: DecodingKey,
    validation: Validation,
    secret: Vec<u8>,
    known: Mutex<HashMap<[u8; 32], (Instant, Principal)>>,
}

#[derive(FromRow)]
struct Row {
    id: String,
    name: String,
    status: String,
    owner_id: String,
    collaborators: String,
    visibility: String,
    tags: String,
    body: String,
    created_at: String,
    updated_at: String,
}

#[derive(Deserialize)]
struct Page {
    limit: Option<i64>,
    offset: Option<i64>,
}

const VISIBLE: &str = "org = $1 AND (visibility = 'org' OR $3 = 1 \
    OR (owner_id = $2 AND owner_id <> '') OR collaborators LIKE $4)";

fn refused() -> Response {
    let body = json!({"error": {"code": "UNAUTHORIZED", "message": "the credential is not valid"}});
    (StatusCode::UNAUTHORIZED, Json(body)).into_response()
}

async fn principal(app: &App, headers: &HeaderMap) -> Option<Principal> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let token = text.strip_prefix("Bearer ")?;
    let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    if let Some((since, found)) = app.known.lock().unwrap().get(&digest) {
        if since.elapsed() < CACHE_LIFE {
            return Some(found.clone());
        }
    }
    let claims = decode::<Claims>(token, &app.key, &app.validation).ok()?.claims;
    let row: Option<(i64, String, String)> = sqlx::query_as(
        "SELECT org, id, roles FROM users WHERE id = $1 AND is_active = 1 \
         AND NOT EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = $2)",
    )
    .bind(&claims.sub)
    .bind(&claims.jti)
    .fetch_optional(&app.pool)
    .await
    .ok()?;
    let (org, user, roles) = row?;
    let found = Principal { org, user, is_admin: roles.contains("Admin") };
    let mut known = app.known.lock().unwrap();
    if known.len() >= 4096 {
        known.clear();
    }
    known.insert(digest, (Instant::now(), found.clone()));
    Some(found)
}

fn words(list: &str) -> Vec<&str> {
    list.split(';').filter(|word| !word.is_empty()).collect()
}

fn shown(row: &Row) -> Value {
    let mut out = Map::new();
    out.insert("id".into(), json!(row.id));
    out.insert("name".into(), json!(row.name));
    if let Ok(Value::Object(body)) = serde_json::from_str::<Value>(&row.body) {
        out.extend(body);
    }
    out.insert("visibility".into(), json!(row.visibility));
    out.insert("collaborators".into(), json!(words(&row.collaborators)));
    out.insert("tags".into(), json!(words(&row.tags)));
    out.entry("description").or_insert_with(|| json!(""));
    out.entry("metadata").or_insert_with(|| json!({}));
    out.insert("status".into(), json!(row.status));
    out.insert("owner_id".into(), json!(row.owner_id));
    for name in ["started_at", "completed_at", "archived_at"] {
        out.entry(name).or_insert(Value::Null);
    }
    out.insert("created_at".into(), json!(row.created_at));
    out.insert("updated_at".into(), json!(row.updated_at));
    Value::Object(out)
}

fn cursor(app: &App, row: &Row) -> String {
    let text = json!([0, 1, row.created_at, row.id]).to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(&app.secret).unwrap();
    mac.update(text.as_bytes());
    let mut bytes = mac.finalize().into_bytes()[..16].to_vec();
    bytes.extend_from_slice(text.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

async fn experiments(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(page): Query<Page>,
) -> Response {
    let Some(who) = principal(&app, &headers).await else {
        return refused();
    };
    let limit = page.limit.unwrap_or(20).clamp(1, 100);
    let offset = page.offset.unwrap_or(0).max(0);
    let pattern = format!("%;{};%", who.user);
    let list = format!(
        "SELECT id, name, status, owner_id, collaborators, visibility, tags, body, created_at, \
         updated_at FROM experiments WHERE {VISIBLE} \
         ORDER BY created_at DESC, id DESC LIMIT $5 OFFSET $6"
    );
    let rows: Result<Vec<Row>, _> = sqlx::query_as(&list)
        .bind(who.org)
        .bind(&who.user)
        .bind(who.is_admin as i64)
        .bind(&pattern)
        .bind(limit + 1)
        .bind(offset)
        .fetch_all(&app.pool)
        .await;
    let count = format!("SELECT COUNT(*) FROM experiments WHERE {VISIBLE}");
    let total: Result<i64, _> = sqlx::query_scalar(&count)
        .bind(who.org)
        .bind(&who.user)
        .bind(who.is_admin as i64)
        .bind(&pattern)
        .fetch_one(&app.pool)
        .await;
    let (Ok(mut rows), Ok(total)) = (rows, total) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let more = rows.len() as i64 > limit;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|last| cursor(&app, last));
    let pages = (total + limit - 1) / limit;
    let link = |at: i64| format!("/experiments?limit={limit}&offset={at}");
    let data: Vec<Value> = rows.iter().map(shown).collect();
    Json(json!({
        "data": data,
        "pagination": {"total": total, "limit": limit, "offset": offset, "has_more": more,
                       "next_cursor": next},
        "meta": {"page": offset / limit + 1, "page_size": limit, "total_count": total,
                 "total_pages": pages, "has_next": more, "has_previous": offset > 0},
        "links": {"self": format!("/experiments?limit={limit}"), "first": link(0),
                  "next": link(offset + limit), "last": link((pages.max(1) - 1) * limit)},
    }))
    .into_response()
}

async fn add_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let id = uuid::Uuid::new_v4().to_string();
    headers.insert("x-request-id", HeaderValue::from_str(&id).unwrap());
    for (name, value) in [
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("content-security-policy", "default-src 'self'"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// axum_yardstick DATABASE PORT THREADS; the secret of tokens is JWT_SECRET.
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let threads: usize = arguments[3].parse().unwrap();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .unwrap()
        .block_on(serve(&arguments[1], &arguments[2]));
}

async fn serve(database: &str, port: &str) {
    let secret = std::env::var("JWT_SECRET").expect("JWT_SECRET").into_bytes();
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&["llm-research-api"]);
    validation.set_audience(&["llm-research-users"]);
    let options = SqliteConnectOptions::from_str(&format!("sqlite://{database}"))
        .unwrap()
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
    let pool = SqlitePoolOptions::new()
        .max_connections(8)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .expect("the database");
    let app = Arc::new(App {
        pool,
        key: DecodingKey::from_secret(&secret),
        validation,
        secret,
        known: Mutex::new(HashMap::new()),
    });
    let routes = Router::new()
        .route("/health", get(|| async { "OK" }))
        .route("/experiments", get(experiments))
        .with_state(app)
        .layer(axum::middleware::map_response(add_headers));
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    axum::serve(listener, routes).await.unwrap();
}
