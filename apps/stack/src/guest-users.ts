/**
 * The user ids that the local stack gives to built servers when root starts it. They are far from those of people and services, and
 * depend on the stack's folder, so that two stacks of a machine have different ones.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const ofStack = 32;
/** Between the ranges that Linux distributions give to containers and the end of the positive numbers. */
const first = 1_900_000_000;
const stacks = 1_000_000;
/** The names of a distribution end here, and `nobody` comes later. */
const lastResort = 61_184;

/** Nothing when this process is not root's: it can't give a process another user then. */
export function guestUsers(folder: string): Record<string, string> {
  if (process.getuid?.() !== 0) return {};
  const begin = firstUserOf(folder, mostUser());
  return { STRONGROOM_BUILT_SERVERS_UIDS: `${begin}-${begin + ofStack - 1}` };
}

/** @param most the highest user id that there is */
export function firstUserOf(folder: string, most: number): number {
  const number = createHash('sha256').update(folder).digest().readUInt32BE(0);
  if (most >= first + stacks * ofStack) return first + (number % stacks) * ofStack;
  return lastResort + (number % 64) * ofStack;
}

/** In a user namespace, only some user ids are there. */
function mostUser(): number {
  try {
    const lines = readFileSync('/proc/self/uid_map', 'utf8').trim().split('\n');
    return Math.max(
      ...lines.map((line) => line.trim().split(/\s+/).map(Number)).map(([at = 0, , count = 0]) => at + count - 1),
    );
  } catch {
    return Number.MAX_SAFE_INTEGER;
  }
}
