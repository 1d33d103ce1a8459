/** Keeps the passwords of instances, sealed. */
export { KeyRing, secretKeyBytes, secretKeysIn } from '@strongroom/runtime';
export {
  type Credential,
  CredentialFault,
  type CredentialFaultCode,
  type CredentialName,
  Credentials,
  type FirstBound,
} from './credentials.js';
export type { Bound, BoundOfWebhook } from './sealed.js';
export { type SealedOfWebhook, WebhookSecrets } from './webhook-secrets.js';
