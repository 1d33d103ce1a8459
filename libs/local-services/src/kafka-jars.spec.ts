import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { findKafka } from './kafka-jars.js';

let folder: string;
let env: NodeJS.ProcessEnv;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-jars-'));
  mkdirSync(join(folder, 'bin'));
  env = { PATH: join(folder, 'bin') };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Puts a program into PATH that does what a line of shell says. */
function program(name: string, line: string): void {
  const path = join(folder, 'bin', name);
  writeFileSync(path, `#!/bin/sh\n${line}\n`);
  chmodSync(path, 0o755);
}
const cache = () => join(folder, 'cache');
const find = () => findKafka(cache(), join(folder, 'sources'), { env });
const java17 = 'echo \'openjdk version "17.0.15" 2025-04-15\' >&2';
const fetches = `PATH=/usr/bin:/bin; for word; do case "$word" in -DoutputDirectory=*) out=$(expr "$word" : '.*=\\(.*\\)');; esac; done`;

describe('a Kafka', () => {
  it('is not found without Java, and the package to install is named', async () => {
    const { reason } = await find();
    expect(reason).toContain('there is no Java');
    expect(reason).toContain('openjdk-17-jre-headless');
  });

  it('is not found with a Java that is too old, and its version is named', async () => {
    program('java', 'echo \'openjdk version "1.8.0_402"\' >&2');
    expect((await find()).reason).toContain('Java is 8');
  });

  it('is found with the Java of JAVA_HOME when that of the path is too old', async () => {
    program('java', 'echo \'openjdk version "11.0.2"\' >&2');
    mkdirSync(join(folder, 'bin', 'bin'));
    program(join('bin', 'java'), java17);
    env.JAVA_HOME = join(folder, 'bin');
    mkdirSync(join(cache(), 'kafka-4.4.0'), { recursive: true });
    expect(await find()).toMatchObject({ java: join(folder, 'bin', 'bin', 'java') });
  });

  it('is not found without Maven, and the package to install is named', async () => {
    program('java', java17);
    expect((await find()).reason).toBe('there is no Maven to fetch Kafka with (Debian: maven)');
  });

  it('is not found when Maven fails: its first error is told, and nothing half fetched is left', async () => {
    program('java', java17);
    program(
      'mvn',
      `case "$1" in --version) exit 0;; esac; ${fetches}; mkdir -p "$out"; echo "[ERROR] no network"; exit 1`,
    );
    expect((await find()).reason).toBe('Maven could not fetch Kafka 4.4.0: no network');
    expect(readdirSync(cache())).toEqual([]);
  });

  it('is fetched once, whole, by two who want it at the same time', async () => {
    program('java', java17);
    program(
      'mvn',
      `case "$1" in --version) exit 0;; esac; ${fetches}; mkdir -p "$out"; touch "$out/kafka_2.13-4.4.0.jar"`,
    );
    const found = await Promise.all([find(), find()]);
    const jars = join(cache(), 'kafka-4.4.0');
    expect(found.map((each) => each.jars)).toEqual([jars, jars]);
    expect(existsSync(join(jars, 'kafka_2.13-4.4.0.jar'))).toBe(true);
    expect(readdirSync(cache())).toEqual(['kafka-4.4.0']);

    let fetched = false;
    await findKafka(cache(), folder, {
      env,
      onFetch: () => {
        fetched = true;
      },
    });
    expect(fetched).toBe(false);
  });
});
