import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { memoryOptions, serviceMemory } from './service-memory.js';

const root = join(__dirname, '..', '..', '..');
const textOf = (file: string) => readFileSync(join(root, file), 'utf8');

describe('the memory of a service', () => {
  it('is the same in the image, in the instructions for operators and where this code starts a service', () => {
    const variables = Object.entries(serviceMemory());
    expect(variables).toContainEqual(['NODE_OPTIONS', memoryOptions]);
    for (const [name, value] of variables) {
      const line = value.includes(' ') ? `${name}="${value}"` : `${name}=${value}`;
      expect(textOf('Dockerfile')).toContain(`${line} \\\n`);
      expect(textOf('docs/operations.md')).toContain(`\n${line}\n`);
    }
  });

  it('is what the options say that are given for it: Node takes the last', () => {
    const more = '--max-old-space-size=1024';
    expect(serviceMemory(more).NODE_OPTIONS).toBe(`${memoryOptions} ${more}`);
  });
});
