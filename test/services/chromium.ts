/** A browser for tests of the console: the Chromium that is on this machine. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { lacks } from './outside-parts.js';

const names = ['chromium', 'chromium-browser', 'google-chrome'];

/** @returns undefined when there is none, which is noted */
export function chromiumHere(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const found = names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
  return found ?? lacks('chromium', `There is none of ${names.join(', ')} in the PATH.`);
}

/** In a container there are no namespaces for its sandbox. It loads pages of the test alone. */
export function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}
