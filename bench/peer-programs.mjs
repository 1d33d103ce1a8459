/** Programs in Go that stand beside ours. Each is a module under `peers`, or one of our own; Go builds it once, by its `go.sum`. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './stack.mjs';

const programs = {
  rclone: { module: join('bench', 'peers', 'rclone'), program: 'github.com/rclone/rclone' },
  s5cmd: { module: join('bench', 'peers', 's5cmd'), program: 'github.com/peak/s5cmd/v2' },
  versitygw: {
    module: join('libs', 'local-services', 'versitygw'),
    program: 'github.com/versity/versitygw/cmd/versitygw',
  },
};

/**
 * Builds a program where that has not been done. It may take some minutes.
 * @returns where it is and its version; or why it can't be had
 */
export function peerProgram(name) {
  const { module, program } = programs[name];
  const folder = join(root, module);
  const isOfProgram = (line) =>
    program.startsWith(
      line
        .trim()
        .replace(/^require /, '')
        .split(' ')[0],
    );
  const required = readFileSync(join(folder, 'go.mod'), 'utf8')
    .split('\n')
    .filter((line) => / v\d/.test(line));
  const version = / v(\S+)/.exec(required.find(isOfProgram) ?? '')?.[1];
  const path = join(root, '.strongroom', `${name}-${version}`);
  if (existsSync(path)) return { path, version };
  process.stdout.write(`Building ${name} ${version} …\n`);
  mkdirSync(join(root, '.strongroom'), { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  const { error, status, stderr } = spawnSync('go', ['build', '-trimpath', '-o', unfinished, program], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (status !== 0) return { why: error ? 'there is no Go here' : `${name} can't be built: ${stderr.slice(-300)}` };
  renameSync(unfinished, path);
  return { path, version };
}
