/** Loads the SDK of a store that most deployments do not have. It is installed only where it is needed. */
import { codeOf } from '../error-code.js';
import { CredentialsFault } from './key-file.js';

/** @throws {CredentialsFault} with the command that installs it */
export async function optionalSdk<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (!['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'].includes(codeOf(error))) throw error;
    throw new CredentialsFault(
      `${name} is not installed. It is an optional package: npm install --no-save ${name}, in the version that package.json names`,
    );
  }
}
