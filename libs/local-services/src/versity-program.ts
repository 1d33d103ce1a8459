/** Where Versity S3 Gateway comes from: `versitygw/go.mod` names its version. */
import { join } from 'node:path';
import type { GoSource } from './go-program.js';

/** @param root the folder of the project */
export function versitySource(root: string): GoSource {
  const folder = join(root, 'libs', 'local-services', 'versitygw');
  return { folder, module: 'github.com/versity/versitygw', program: 'cmd/versitygw' };
}
