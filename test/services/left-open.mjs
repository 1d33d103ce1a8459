/**
 * Tells what a file of tests has left open, such as a connection, a timer or a child process. That keeps a process of Jest from ending,
 * and nothing else says of which file it is.
 */
import { appendFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** What is being closed may take a moment. */
const settleMs = 2_000;
const lookMs = 25;
/** Jest prints each tenth of a second. */
const ofJestMs = 150;
/** `npm test` names a file that takes one line of JSON for each file of tests that left something open. */
const notes = process.env.STRONGROOM_LEFT_OPEN;

/**
 * How much there is of each kind that keeps this process before a file of tests begins. Where Jest's own process runs the file, Jest has
 * a timer for what it prints, which soon rings.
 * @returns a map from `Timeout` or `TCPSocketWrap` to a number
 */
export async function openBefore() {
  const until = performance.now() + ofJestMs;
  while (keptOpen().has('Timeout') && performance.now() < until) await delay(lookMs);
  return keptOpen();
}

function keptOpen() {
  const counts = new Map();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/** Tells what is open now and was not `before`. @param patience how much slower this machine is than an idle one */
export async function tellLeftOpen(spec, before, patience) {
  const until = performance.now() + settleMs * patience;
  let left = since(before);
  while (left.length > 0 && performance.now() < until) {
    await delay(lookMs);
    left = since(before);
  }
  if (left.length === 0) return;
  if (notes) appendFileSync(notes, `${JSON.stringify({ spec, left })}\n`);
  else process.stderr.write(`\nLEFT OPEN by ${spec}: ${left.join(', ')}\n\n`);
}

function since(before) {
  return [...keptOpen()].flatMap(([kind, count]) => {
    const more = count - (before.get(kind) ?? 0);
    return more > 0 ? [`${more} × ${kind}`] : [];
  });
}
