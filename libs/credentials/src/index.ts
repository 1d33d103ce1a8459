/** Keeps the passwords of instances, sealed. */
export { type Credential, CredentialFault, type CredentialFaultCode, Credentials } from './credentials.js';
