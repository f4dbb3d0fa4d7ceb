// Who makes a call and on what, for Dredd (dredd_hooks.js) and Postman (portman.json).
// Reading finds what `madang seed --profile contract-test` made. Whatever changes something, or uses it up, has a person
// of its own who owns it: one call would else take account, session or post away from the next.
const PASSWORD = 'four quiet magpies';
const MEMBER = 'hana@example.com';
const ADMIN = 'yard_keeper@example.com';

// send(method, path, body, token) answers { data, setCookie }.
async function prepare({ path, body, changes }, send) {
  const session = changes ? await logIn(await signUp(send), send) : await seeded(MEMBER, send);
  const caller = path.startsWith('/admin/') ? await seeded(ADMIN, send) : session;
  return {
    token: caller.token,
    cookie: session.cookie,
    id: changes ? await owned(path, session, send) : undefined,
    body: body && JSON.stringify(fill(JSON.parse(body), path, session)),
  };
}

// The paths whose server is the root of the host.
const isRoot = (path) => /^.(healthz|readyz|openapi|docs|redoc)/.test(path);

function nobody() {
  const username = `ct_${Date.now().toString(36)}_${Math.random().toString(36).slice(2, 10)}`;
  return { email: `${username}@example.com`, username };
}

async function signUp(send) {
  const person = { ...nobody(), password: PASSWORD };
  await send('POST', '/auth/signup', person);
  return person.email;
}

const sessions = {};
async function seeded(email, send) {
  sessions[email] ??= await logIn(email, send);
  return sessions[email];
}

async function logIn(email, send) {
  const { data, setCookie } = await send('POST', '/auth/login', { email, password: PASSWORD });
  return { email, id: data.user.id, token: data.access_token, cookie: setCookie.split(';')[0] };
}

async function owned(path, { id, token }, send) {
  const make = async (where, body) => (await send('POST', where, body, token)).data.id;
  if (path.startsWith('/api-keys')) return make('/api-keys', { name: 'throw-away', scopes: ['read'] });
  if (path.includes('/users')) return id;
  const post = await make('/posts', { title: 'To be thrown away', body: 'Soon.', is_published: true });
  return path.startsWith('/comments') ? make(`/posts/${post}/comments`, { body: 'To be thrown away' }) : post;
}

function fill(body, path, { email }) {
  if (path === '/auth/login') return { ...body, email, password: PASSWORD };
  const names = Object.entries(nobody()).filter(([key]) => key in body);
  return { ...body, ...Object.fromEntries(names) };
}

if (typeof module !== 'undefined') module.exports = { isRoot, prepare };
