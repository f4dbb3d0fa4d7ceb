// Runs before each request of the collection, behind call.js.
const base = pm.collectionVariables.get('baseUrl');

function send(method, where, body, token) {
  const header = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
  const wanted = { url: base + where, method, header, body: { mode: 'raw', raw: JSON.stringify(body) } };
  return new Promise((resolve, reject) => {
    pm.sendRequest(wanted, (fault, answer) => {
      if (fault || answer.code >= 300) reject(fault ?? new Error(`${method} ${where}: ${answer.code}`));
      else resolve({ data: answer.json().data, setCookie: answer.headers.get('Set-Cookie') });
    });
  });
}

async function arrange({ request }) {
  const path = `/${request.url.path.join('/')}`;
  // A variable outlives its request.
  pm.variables.set('baseUrl', isRoot(path) ? base.replace(/(?<=\w)\/.*/, '') : base);
  if (isRoot(path)) return;
  const ready = await prepare({ path, body: request.body?.raw, changes: request.method !== 'GET' }, send);
  pm.variables.set('bearerToken', ready.token);
  request.headers.upsert({ key: 'X-Requested-With', value: 'postman', disabled: false });
  if (ready.id) request.url.variables.upsert({ key: 'id', value: ready.id });
  if (ready.body) request.body.update({ mode: 'raw', raw: ready.body });
}

arrange(pm);
