/** How an instance's password is kept. */
export { type Credential, CredentialFault, type CredentialFaultCode, Credentials } from './credentials.js';
