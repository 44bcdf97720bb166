// node-oidc-provider: introspection and revocation of opaque access tokens.
// Its records are kept in this process, or with REDIS_URL in Redis.
import Redis from 'ioredis';
import Provider from 'oidc-provider';
import { inMemory, inRedis } from './oidc_adapters.mjs';
import { stand } from './standing.mjs';

const { REDIS_URL } = process.env;
const CLIENT = {
  client_id: 'service',
  client_secret: 'a-secret-of-the-benchmark',
  redirect_uris: ['https://service.example/callback'],
};

const provider = new Provider('http://127.0.0.1', {
  adapter: REDIS_URL ? inRedis(new Redis(REDIS_URL, { keyPrefix: 'oidc:' })) : inMemory(),
  clients: [CLIENT],
  cookies: { keys: ['a key of the benchmark'] },
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    revocation: { enabled: true },
  },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  ttl: { AccessToken: 86_400, Grant: 86_400 },
});

const client = await provider.Client.find(CLIENT.client_id);
let made = 0;

async function begin() {
  made += 1;
  const accountId = `person${made}`;
  const grant = new provider.Grant({ accountId, clientId: client.clientId });
  grant.addOIDCScope('openid');
  const grantId = await grant.save();
  const token = new provider.AccessToken({ accountId, client, grantId, scope: 'openid', gty: 'authorization_code' });
  return token.save();
}

await stand(provider.callback(), begin);
