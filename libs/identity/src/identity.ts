/** The port to an identity provider: it gives the principal of a token. */

import type { Right, RightsInForce } from '@strongroom/contracts';

export interface Principal {
  /** The name of the token, which is the actor of the events that its requests lead to. */
  readonly name: string;
  /** The account whose resources the principal may reach. */
  readonly accountId: string;
  /** The roles as the provider names them. `hasRight` knows those that mean something here. */
  readonly roles: readonly string[];
  /** Tells the principal from every other one of the provider. Default: the name. */
  readonly id?: string;
  /** The domain of the user, where there are domains. */
  readonly domain?: string;
  /** Rights beside those of the roles. */
  readonly rights?: readonly Right[];
  /** The only instances that the principal reaches. Default: all of the account. */
  readonly instances?: readonly string[];
}

export abstract class Identity {
  /**
   * @param from the address that sends the token: where tokens wait to be looked up, addresses take turns
   * @returns undefined when there is no token, or it belongs to nobody
   * @throws {IdentityFault} when that can't be found out; nobody is let in then
   */
  abstract authenticate(token: string | undefined, from?: string): Promise<Principal | undefined>;

  /** Whether a token can be judged without another service. Nobody else is asked for whoever sends many wrong ones. */
  canJudge(_token: string | undefined): boolean {
    return true;
  }

  /** By account, the tokens that there are and what each may do; undefined when the provider does not tell. */
  tokensInForce(): ReadonlyMap<string, RightsInForce['tokens']> | undefined {
    return undefined;
  }
}
