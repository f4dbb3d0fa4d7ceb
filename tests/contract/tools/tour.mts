// From sign-up to a comment with the types that openapi-typescript makes; tour.py is the same in Python.
import createClient from 'openapi-fetch';
import type { components, paths } from './madang.js';

type Failure = components['schemas']['Failure'];
type Answered<T> = { data?: { data: T }; error?: { error: Failure } };

declare const process: { argv: string[] };
const [, , baseUrl, username] = process.argv;
const password = 'four quiet magpies';
const email = `${username}@example.com`;
const madang = createClient<paths>({ baseUrl });

function answerOf<T>({ data, error }: Answered<T>): T {
  if (!data) throw new Error(error?.error.code);
  return data.data;
}

const account = answerOf(await madang.POST('/auth/signup', { body: { email, username, password } }));
const session = answerOf(await madang.POST('/auth/login', { body: { email, password } }));
madang.use({
  onRequest: ({ request }) => request.headers.set('Authorization', `Bearer ${session.access_token}`),
});

const post = answerOf(await madang.POST('/posts', { body: { title: '마당에 핀 꽃', body: 'The first one this year.', is_published: true } }));
const comment = answerOf(
  await madang.POST('/posts/{id}/comments', { params: { path: { id: post.id } }, body: { body: '무슨 꽃인가요?' } }),
);
const again = await madang.POST('/auth/signup', { body: { email, username: `${username}_2`, password } });
const code: components['schemas']['ErrorCode'] | undefined = again.error?.error.code;

console.log(JSON.stringify({ account, post, comment, code }));
