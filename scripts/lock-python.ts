/**
 * Writes the files of `test/services/python`, with the version and the digests of every Python package that the tests use. It needs `uv`
 * (pip install uv).
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const wanted: Record<string, { python: string; requirements: string[]; alone?: true }> = {
  'keystone-30.0.0': { python: '3.11', requirements: ['keystone==30.0.0'] },
  'openstack-client-6.0.0-8.0.0': {
    python: '3.10',
    requirements: ['python-openstackclient==6.0.0', 'python-troveclient==8.0.0', 'setuptools==79.0.1'],
  },
  // The extra that its server names would bring much that an S3 server does not need.
  'moto-5.2.5': { python: '3.10', requirements: ['moto[s3]==5.2.5', 'flask', 'flask-cors'] },
  // It is unpacked and not installed, so that it needs nothing.
  'postgres-tools-18.6': { python: '3.10', requirements: ['embedded-postgres==18.6.3'], alone: true },
};

for (const [name, { python, requirements, alone }] of Object.entries(wanted)) {
  const file = join(__dirname, '..', 'test', 'services', 'python', `${name}.txt`);
  const plain = ['--quiet', '--universal', '--generate-hashes', '--no-annotate', '--no-header', '--output-file', file];
  const how = ['pip', 'compile', '-', '--python-version', python, ...plain, ...(alone ? ['--no-deps'] : [])];
  execFileSync('uv', how, { input: requirements.join('\n'), stdio: ['pipe', 'ignore', 'inherit'] });
  process.stdout.write(`${file}\n`);
}
