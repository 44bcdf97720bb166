// express-session with its Redis store, as its README sets it up.
import { sign } from 'cookie-signature';
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';
import { stand } from './standing.mjs';

const SECRET = 'a secret of the benchmark';
const COOKIE = { maxAge: 86_400_000, httpOnly: true };

const client = createClient({ url: process.env.REDIS_URL });
await client.connect();
const store = new RedisStore({ client, prefix: 'express:' });

const app = express();
app.disable('x-powered-by');
app.use(session({ store, secret: SECRET, resave: false, saveUninitialized: false, cookie: COOKIE }));
app.get('/check', (request, response) => {
  const { user } = request.session;
  if (user) response.json({ user });
  else response.status(401).end();
});
app.post('/logout', (request, response, next) => {
  if (!request.session.user) {
    response.status(401).end();
    return;
  }
  request.session.destroy((error) => (error ? next(error) : response.status(204).end()));
});

let made = 0;
async function begin() {
  made += 1;
  const id = `session-${String(made).padStart(24, '0')}`;
  await store.set(id, { cookie: COOKIE, user: { id: `u_${made}`, username: `person${made}`, role: 'monitor' } });
  return `connect.sid=${encodeURIComponent(`s:${sign(id, SECRET)}`)}`;
}

await stand(app, begin);
