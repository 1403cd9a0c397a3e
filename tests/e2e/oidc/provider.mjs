// An OpenID provider for the tests: npm's oidc-provider with accounts and faults that a test sets by
// POST /control. Prints its address as soon as it listens; ends when its standard input closes.
// Usage: node provider.mjs FOLDER-OF-NODE_MODULES
import http from 'node:http';
import path from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import crypto from 'node:crypto';

const require = createRequire(path.resolve(process.argv[2], 'package.json'));
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href);

const state = {
  accounts: {},
  change: null, // claims to write over those of the next ID tokens
  sign: null, // 'other': with a key that nobody published; 'none': with none at all
  algorithm: 'RS256',
  claimsInToken: true,
  requests: {}, // path -> how often
};
let keys = [];
let provider = null;
let generation = 0;

function makeKey(alg) {
  const { privateKey } = alg === 'RS256'
    ? crypto.generateKeyPairSync('rsa', { modulusLength: 2048 })
    : crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `${alg}-${generation}` };
}

function build(issuer) {
  generation += 1;
  keys = [makeKey('RS256'), makeKey('ES256')];
  provider = new Provider(issuer, {
    jwks: { keys },
    clients: [{
      client_id: 'lab',
      client_secret: 'a secret that the lab & provider share',
      redirect_uris: ['https://lab.example/auth/oidc/callback'],
      id_token_signed_response_alg: state.algorithm,
    }],
    claims: {
      openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'],
    },
    scopes: ['openid', 'email', 'profile', 'groups'],
    conformIdTokenClaims: !state.claimsInToken,
    pkce: { required: () => true },
    cookies: { keys: ['only for tests'] },
    findAccount: (ctx, id) => (state.accounts[id]
      ? { accountId: id, claims: () => ({ sub: id, ...state.accounts[id] }) } : undefined),
  });
}

function forge(token) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const read = (part) => JSON.parse(Buffer.from(part, 'base64url'));
  const [head, payload] = token.split('.').slice(0, 2).map(read);
  const claims = encode({ ...payload, ...state.change });
  if (state.sign === 'none') {
    return `${encode({ alg: 'none' })}.${claims}.`;
  }
  const jwk = state.sign === 'other' ? makeKey(head.alg) : keys.find((key) => key.kid === head.kid);
  const input = `${encode({ ...head, ...state.header })}.${claims}`;
  const key = crypto.createPrivateKey({ key: jwk, format: 'jwk' });
  const signature = crypto.sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

// The token endpoint's answer, changed on its way out.
function interfere(response) {
  const end = response.end.bind(response);
  response.end = (body) => {
    const answer = JSON.parse(body);
    if (!answer.id_token) {
      return end(body);
    }
    const changed = JSON.stringify({ ...answer, id_token: forge(answer.id_token) });
    response.setHeader('content-length', Buffer.byteLength(changed));
    return end(changed);
  };
}

async function control(request, response, issuer) {
  let text = '';
  for await (const piece of request) {
    text += piece;
  }
  const wanted = JSON.parse(text || '{}');
  Object.assign(state, wanted);
  if (wanted.rotate || wanted.algorithm || wanted.claimsInToken !== undefined) {
    build(issuer);
  }
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ requests: state.requests }));
}

const server = http.createServer((request, response) => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const where = request.url.split('?')[0];
  if (where === '/control') {
    control(request, response, issuer);
    return;
  }
  state.requests[where] = (state.requests[where] || 0) + 1;
  if (state.broken === where) {
    response.statusCode = 500;
    response.end('broken');
    return;
  }
  if (state.hang === where) {
    return; // until the other side gives up
  }
  if (where === '/token' && (state.change || state.sign || state.header)) {
    interfere(response);
  }
  provider.callback()(request, response);
});
server.listen(0, '127.0.0.1', () => {
  build(`http://127.0.0.1:${server.address().port}`);
  console.log(`http://127.0.0.1:${server.address().port}`);
});
process.stdin.on('end', () => process.exit(0)).resume();
