import { createHash } from 'node:crypto';
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
  mkdirSync(join(folder, 'sources'));
  lists('kafka_2.13-4.4.0.jar');
  env = { PATH: join(folder, 'bin') };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The list of jars names an empty one. */
function lists(...names: string[]): void {
  const empty = createHash('sha256').digest('hex');
  writeFileSync(join(folder, 'sources', 'jars.sha256'), names.map((name) => `${empty}  ${name}\n`).join(''));
}

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

  it('says what Maven says when it is there but cannot run', async () => {
    program('java', java17);
    program('mvn', 'echo "The java.home of Maven is broken" >&2; exit 1');
    expect(await find()).toMatchObject({
      reason: 'Maven does not run: The java.home of Maven is broken',
      remedy: expect.stringContaining('make mvn --version succeed'),
    });
  });

  it('is fetched though JAVA_HOME names no Java, because the one of the path does', async () => {
    program('java', java17);
    program(
      'mvn',
      `[ -z "$JAVA_HOME" ] || exit 1; case "$1" in --version) exit 0;; esac; ${fetches}; mkdir -p "$out"; touch "$out/kafka_2.13-4.4.0.jar"`,
    );
    env.JAVA_HOME = join(folder, 'none');
    expect(await find()).toMatchObject({ jars: join(cache(), 'kafka-4.4.0'), java: 'java' });
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

  it.each([
    {
      jar: 'another jar than the list has',
      brings: 'echo other >"$out/kafka_2.13-4.4.0.jar"',
      says: /another kafka_2/,
    },
    { jar: 'a jar that is not listed', brings: 'touch "$out/more-1.jar"', says: /more-1\.jar, which .* does not list/ },
    { jar: 'no jar', brings: ':', says: /brought no kafka_2\.13-4\.4\.0\.jar/ },
  ])('is not used when Maven brings $jar, and nothing of it is kept', async ({ brings, says }) => {
    program('java', java17);
    program('mvn', `case "$1" in --version) exit 0;; esac; ${fetches}; mkdir -p "$out"; ${brings}`);
    expect((await find()).reason).toMatch(says);
    expect(readdirSync(cache())).toEqual([]);
  });

  it('says in plain words what Maven said last, when that is no error of its own', async () => {
    program('java', java17);
    program(
      'mvn',
      `case "$1" in --version) exit 0;; esac; printf '\\033[1mDownloading\\033[m from central\\n'; kill -9 $$`,
    );
    const found = await find();
    expect(found.reason).toBe(
      'Maven could not fetch Kafka 4.4.0: mvn was ended by SIGKILL; its last words: Downloading from central',
    );
    expect(found).toHaveProperty('remedy', expect.stringContaining('let Maven reach its registry'));
  });

  it('names the file and the address that Maven could not get', async () => {
    program('java', java17);
    const cause =
      'Could not transfer artifact a:b:pom:1 from/to central (http://127.0.0.1:1/): Connect to 127.0.0.1:1 failed';
    for (const said of [
      `[ERROR] Failed to execute goal org.apache.maven.plugins: ${cause} -> [Help 1]`,
      `[WARNING] ${cause}\n[ERROR] No plugin found for prefix 'dependency' -> [Help 1]`,
    ]) {
      program('mvn', `case "$1" in --version) exit 0;; esac; echo "${said}"; exit 1`);
      expect((await find()).reason).toBe(`Maven could not fetch Kafka 4.4.0: ${cause}`);
    }
  });

  it('is waited for, and told of file by file, as long as Maven moves', async () => {
    program('java', java17);
    const downloads = ['a-1.jar', 'b-2.jar'].map(
      (name) => `echo "Downloaded from central: https://x/${name} (3 kB at 1 kB/s)"; sleep 0.3`,
    );
    program(
      'mvn',
      `case "$1" in --version) exit 0;; esac; ${fetches}; ${downloads.join('; ')}; mkdir -p "$out"; touch "$out/kafka_2.13-4.4.0.jar"`,
    );
    const told: string[] = [];
    const found = await findKafka(cache(), join(folder, 'sources'), { env, onProgress: (what) => told.push(what) });
    expect(found.jars).toBe(join(cache(), 'kafka-4.4.0'));
    expect(told).toContainEqual(expect.stringMatching(/^1 files, \d+\.\d MB; a-1\.jar$/));
    expect(told.at(-1)).toMatch(/^2 files, \d+\.\d MB; b-2\.jar$/);
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
    await findKafka(cache(), join(folder, 'sources'), {
      env,
      onFetch: () => {
        fetched = true;
      },
    });
    expect(fetched).toBe(false);
  });
});
