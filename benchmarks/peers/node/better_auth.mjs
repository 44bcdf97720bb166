// better-auth with Node's own SQLite, as its documentation sets it up; rate limit and telemetry off.
import { DatabaseSync } from 'node:sqlite';
import { betterAuth } from 'better-auth';
import { makeSignature } from 'better-auth/crypto';
import { getMigrations } from 'better-auth/db/migration';
import { toNodeHandler } from 'better-auth/node';
import { stand } from './standing.mjs';

const SECRET = 'a-secret-of-the-benchmark-of-32-characters-or-more';

const database = new DatabaseSync(process.env.DATABASE);
database.exec('PRAGMA journal_mode = WAL');
database.exec('PRAGMA synchronous = FULL');

const auth = betterAuth({
  database,
  secret: SECRET,
  baseURL: 'http://127.0.0.1',
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { disabled: true },
});
await (await getMigrations(auth.options)).runMigrations();

const context = await auth.$context;
const cookie = context.authCookies.sessionToken.name;
let made = 0;

async function begin() {
  made += 1;
  const person = { name: `Person ${made}`, email: `person${made}@example.com`, emailVerified: true };
  const user = await context.internalAdapter.createUser(person);
  const { token } = await context.internalAdapter.createSession(user.id);
  return `${cookie}=${encodeURIComponent(`${token}.${await makeSignature(token, SECRET)}`)}`;
}

await stand(toNodeHandler(auth), begin);
