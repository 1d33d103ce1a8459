/**
 * Says what a process of the tests does now, for `scripts/watched-jest.mjs`. Each process has a file of its own in the folder that
 * `STRONGROOM_UNDER_WAY` names. Without the variable nothing is said.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.env.STRONGROOM_UNDER_WAY;
let steps = 0;

/** @param what names the file of tests and the step @param withinMs how long the step may take, in milliseconds */
export function begins(what, withinMs) {
  say({ what, withinMs });
}

/** The file of tests is over. That is said too, because a file may be shorter than the time between two looks. */
export function isOver() {
  say({ isOver: true });
}

function say(step) {
  if (!folder) return;
  steps += 1;
  writeFileSync(join(folder, `${process.pid}.json`), JSON.stringify({ ...step, number: steps }));
}
