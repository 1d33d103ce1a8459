/** Programs in Go that stand beside ours. Each is a module under `peers`, or one of our own; Go builds it once, by its `go.sum`. */
import { join } from 'node:path';
import { findGoProgram, versitySource } from '../dist/libs/local-services/src/index.js';
import { root } from './stack.mjs';

const peerOf = (name, module) => ({ folder: join(root, 'bench', 'peers', name), module, program: '' });

const sources = {
  rclone: peerOf('rclone', 'github.com/rclone/rclone'),
  s5cmd: peerOf('s5cmd', 'github.com/peak/s5cmd/v2'),
  versitygw: versitySource(root),
};

/**
 * Builds a program where that has not been done. It may take some minutes.
 * @returns its path and its version; or the reason why it can't be had
 */
export function peerProgram(name) {
  const onBuild = () => process.stdout.write(`Building ${name} …\n`);
  return findGoProgram(join(root, '.strongroom'), sources[name], { onBuild });
}
