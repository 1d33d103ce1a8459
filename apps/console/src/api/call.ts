/**
 * Calls of the API with the cookie of the session. Answers come from the service that this page comes from, so their types are those of the
 * contract, and they are not parsed again.
 */
import type { z } from 'zod';
import type { AnswerTo, AskedOf, Called } from './operations.js';

/** The script lies in `console/assets`. A proxy may have put a prefix before that. */
const script = import.meta.url;
export const baseUrl = new URL('../../', script);

/** An answer that is no success, or none at all. */
export class Refused extends Error {
  override readonly name = 'Refused';

  /** @param status 0 when the service was not reached */
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** The whole address of a call. @throws {TypeError} when a part of the path is missing */
export function urlOf(
  { path }: Called,
  parts: Readonly<Record<string, string | undefined>>,
  query: Readonly<Record<string, string | number | undefined>> = {},
): URL {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = parts[name] ?? '';
    if (['', '.', '..'].includes(value)) throw new TypeError(`${path}: "${value}" cannot stand for ${name}`);
    return encodeURIComponent(value);
  });
  const url = new URL(filled.slice(1), baseUrl);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
  return url;
}

interface Sent {
  parts?: Readonly<Record<string, string | undefined>> | undefined;
  query?: Readonly<Record<string, string | number | undefined>> | undefined;
  body?: unknown;
  headers?: Readonly<Record<string, string>> | undefined;
}

/** @throws {Refused} */
export async function call<C extends Called>(operation: C, asked: AskedOf<C> = {}): Promise<AnswerTo<C>> {
  const text = await textOf(operation, asked);
  return text === '' ? JSON.parse('null') : JSON.parse(text);
}

/** The text of a success. @throws {Refused} */
async function textOf(operation: Called, { parts = {}, query, body, headers }: Sent): Promise<string> {
  const response = await fetch(urlOf(operation, parts, query), {
    method: operation.method,
    credentials: 'same-origin',
    redirect: 'error',
    headers: {
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch(() => {
    throw new Refused(0, 'The service was not reached.');
  });
  const text = await response.text();
  if (!response.ok) throw new Refused(response.status, messageIn(text) ?? `The service answered ${response.status}.`);
  return text;
}

/** The message of a fault: the type is the only key, and an object stands under it. */
function messageIn(text: string): string | undefined {
  try {
    const [fault]: unknown[] = Object.values(JSON.parse(text));
    return typeof fault === 'object' && fault !== null && 'message' in fault ? String(fault.message) : undefined;
  } catch {
    return undefined;
  }
}

/** No service makes larger pages. */
const mostItems = 1_000;

interface Page {
  links: readonly { rel: string; href: string }[];
}

/**
 * The pages of a list, each as large as the service makes them.
 * @param most no more pages are asked for
 * @param first how many items the first page has at most
 * @throws {Refused}
 */
export async function* pagesOf<A extends Page>(
  operation: Pick<Called, 'method' | 'path'> & { readonly of?: { readonly response: z.ZodType<A> } },
  { parts, query: filter, body }: Sent,
  most: number,
  first = mostItems,
): AsyncGenerator<A, void, undefined> {
  const { method, path } = operation;
  let marker: string | undefined;
  for (let count = 0; count < most; count += 1) {
    const limit = count === 0 ? first : mostItems;
    const query = { limit, ...filter, ...(marker !== undefined && { marker }) };
    const page: A = JSON.parse(await textOf({ method, path }, { parts, query, body }));
    yield page;
    const next = page.links.find(({ rel }) => rel === 'next');
    marker = next && (new URL(next.href, baseUrl).searchParams.get('marker') ?? undefined);
    if (marker === undefined) return;
  }
}

/** What is told when a thing has another version than the one that was shown. */
export function changedMeanwhile(what: string): string {
  return `Somebody has changed the ${what} meanwhile. Look at it again.`;
}

/** Why a change of a thing was not made, for people. */
export function whyNotChanged(error: unknown, what: string): string {
  return error instanceof Refused && error.status === 412 ? changedMeanwhile(what) : messageOf(error);
}

/** What went wrong, for people. */
export function messageOf(error: unknown): string {
  return error instanceof Refused ? error.message : String(error);
}
