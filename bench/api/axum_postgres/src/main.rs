//! The yardstick of GET /experiments over PostgreSQL: axum and tokio-postgres, written as their users
//! write it, with connections from deadpool, or with one connection that all requests share and
//! pipeline. It does what the product does for that one request: the bearer token is verified
//! (HS256, issuer, audience, expiry) and its user looked up, both kept for 1.5 s; a page of one, the
//! number of all, a signed cursor, links; the same security headers and a request id. Statements
//! are prepared once a connection.
use std::collections::HashMap;
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
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row, Statement};

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

/// Where connections come from.
enum Source {
    Pool(Pool),
    One { client: Client, list: Statement, count: Statement },
}

struct App {
    source: Source,
    key: DecodingKey,
    validation: Validation,
    secret: Vec<u8>,
    known: Mutex<HashMap<[u8; 32], (Instant, Principal)>>,
}

#[derive(Deserialize)]
struct Page {
    limit: Option<i64>,
    offset: Option<i64>,
}

const VISIBLE: &str = "org = $1 AND (visibility = 'org' OR $3::bigint = 1 \
    OR (owner_id = $2 AND owner_id <> '') OR collaborators LIKE $4)";

const USER: &str = "SELECT org, id, roles FROM users WHERE id = $1 AND is_active \
    AND NOT EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = $2)";

fn list_sql() -> String {
    format!(
        "SELECT id, name, status, owner_id, collaborators, visibility, tags, body, created_at, \
         updated_at FROM experiments WHERE {VISIBLE} \
         ORDER BY created_at DESC, id DESC LIMIT $5 OFFSET $6"
    )
}

fn count_sql() -> String {
    format!("SELECT COUNT(*) FROM experiments WHERE {VISIBLE}")
}

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
    let row = match &app.source {
        Source::Pool(pool) => {
            let client = pool.get().await.ok()?;
            let statement = client.prepare_cached(USER).await.ok()?;
            client.query_opt(&statement, &[&claims.sub, &claims.jti]).await.ok()?
        }
        Source::One { client, .. } => {
            client.query_opt(USER, &[&claims.sub, &claims.jti]).await.ok()?
        }
    }?;
    let (org, user, roles): (i64, String, String) = (row.get(0), row.get(1), row.get(2));
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
    out.insert("id".into(), json!(row.get::<_, &str>(0)));
    out.insert("name".into(), json!(row.get::<_, &str>(1)));
    if let Ok(Value::Object(body)) = serde_json::from_str::<Value>(row.get(7)) {
        out.extend(body);
    }
    out.insert("visibility".into(), json!(row.get::<_, &str>(5)));
    out.insert("collaborators".into(), json!(words(row.get(4))));
    out.insert("tags".into(), json!(words(row.get(6))));
    out.entry("description").or_insert_with(|| json!(""));
    out.entry("metadata").or_insert_with(|| json!({}));
    out.insert("status".into(), json!(row.get::<_, &str>(2)));
    out.insert("owner_id".into(), json!(row.get::<_, &str>(3)));
    for name in ["started_at", "completed_at", "archived_at"] {
        out.entry(name).or_insert(Value::Null);
    }
    out.insert("created_at".into(), json!(row.get::<_, &str>(8)));
    out.insert("updated_at".into(), json!(row.get::<_, &str>(9)));
    Value::Object(out)
}

fn cursor(app: &App, row: &Row) -> String {
    let text = json!([0, 1, row.get::<_, &str>(8), row.get::<_, &str>(0)]).to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(&app.secret).unwrap();
    mac.update(text.as_bytes());
    let mut bytes = mac.finalize().into_bytes()[..16].to_vec();
    bytes.extend_from_slice(text.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The page and the count, pipelined on one connection.
async fn both_of_pool(
    pool: &Pool,
    of_page: &[&(dyn ToSql + Sync)],
    of_viewer: &[&(dyn ToSql + Sync)],
) -> Option<(Vec<Row>, Row)> {
    let client = pool.get().await.ok()?;
    let (list_text, count_text) = (list_sql(), count_sql());
    let list = client.prepare_cached(&list_text).await.ok()?;
    let count = client.prepare_cached(&count_text).await.ok()?;
    tokio::try_join!(client.query(&list, of_page), client.query_one(&count, of_viewer)).ok()
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
    let admin = who.is_admin as i64;
    let rows_wanted = limit + 1;
    let of_viewer: [&(dyn ToSql + Sync); 4] = [&who.org, &who.user, &admin, &pattern];
    let of_page: [&(dyn ToSql + Sync); 6] =
        [&who.org, &who.user, &admin, &pattern, &rows_wanted, &offset];
    let found = match &app.source {
        Source::Pool(pool) => both_of_pool(pool, &of_page, &of_viewer).await,
        Source::One { client, list, count } => {
            tokio::try_join!(client.query(list, &of_page), client.query_one(count, &of_viewer)).ok()
        }
    };
    let Some((mut rows, total)) = found else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let total: i64 = total.get(0);
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

/// axum_postgres URL PORT THREADS pool|one; the secret of tokens is JWT_SECRET.
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let threads: usize = arguments[3].parse().unwrap();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .unwrap()
        .block_on(serve(&arguments[1], &arguments[2], &arguments[4]));
}

async fn source(url: &str, which: &str) -> Source {
    if which == "one" {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the database");
        tokio::spawn(connection);
        let list = client.prepare(&list_sql()).await.expect("the list");
        let count = client.prepare(&count_sql()).await.expect("the count");
        return Source::One { client, list, count };
    }
    let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(url.parse().expect("a URL"), NoTls, config);
    let pool = Pool::builder(manager).max_size(8).runtime(Runtime::Tokio1).build();
    Source::Pool(pool.expect("a pool"))
}

async fn serve(database: &str, port: &str, which: &str) {
    let secret = std::env::var("JWT_SECRET").expect("JWT_SECRET").into_bytes();
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&["llm-research-api"]);
    validation.set_audience(&["llm-research-users"]);
    let app = Arc::new(App {
        source: source(database, which).await,
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
