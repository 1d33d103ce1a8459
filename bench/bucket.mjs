/** A Versity S3 Gateway with one bucket, for a measurement. */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../dist/libs/server-processes/src/index.js';

const keys = { accessKeyId: 'bench', secretAccessKey: 'only-for-this-run' };
const region = 'us-east-1';

/** @returns the folder of the bucket, the address of a vault in it, and the environment in which s5cmd and rclone find it */
export async function startBucket(program, place) {
  const port = await freePort();
  const [buckets, versions] = ['buckets', 'versions'].map((name) => join(place.folder, name));
  mkdirSync(join(buckets, 'bench'), { recursive: true });
  mkdirSync(versions);
  const args = ['--access', keys.accessKeyId, '--secret', keys.secretAccessKey, '--region', region, '--quiet'];
  const child = spawn(program, [...args, '--keep-alive', '--port', `127.0.0.1:${port}`, 'posix', buckets], {
    stdio: 'ignore',
  });
  place.undo.push(async () => void child.kill());
  const endpoint = `http://127.0.0.1:${port}`;
  const credentials = join(place.folder, 'keys.json');
  writeFileSync(credentials, JSON.stringify(keys), { mode: 0o600 });
  for (let tries = 200; tries > 0; tries -= 1) {
    if (await fetch(endpoint).catch(() => undefined)) break;
    await delay(50);
  }
  const vaultAt = (prefix) => {
    const url = new URL(`s3://bench/${prefix}`);
    for (const [name, value] of Object.entries({ endpoint, region, credentials })) url.searchParams.set(name, value);
    return url;
  };
  const env = {
    AWS_ACCESS_KEY_ID: keys.accessKeyId,
    AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
    AWS_REGION: region,
    S3_ENDPOINT_URL: endpoint,
    RCLONE_CONFIG_BENCH_TYPE: 's3',
    RCLONE_CONFIG_BENCH_PROVIDER: 'Other',
    RCLONE_CONFIG_BENCH_ENV_AUTH: 'true',
    RCLONE_CONFIG_BENCH_ENDPOINT: endpoint,
    RCLONE_CONFIG_BENCH_REGION: region,
    // Without TLS its SDK can neither sign nor hash a body that it may read only once.
    RCLONE_CONFIG_BENCH_USE_UNSIGNED_PAYLOAD: 'true',
    AWS_REQUEST_CHECKSUM_CALCULATION: 'when_required',
  };
  return { folder: join(buckets, 'bench'), vaultAt, env };
}
