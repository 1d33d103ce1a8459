/** Installs the functions from their files, so that a reader finds each of them whole, in the form that is in force. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class Functions1700000000018 implements MigrationInterface {
  static readonly installs = {
    backup_view_place: 'f5da6be2b7a8b84815659ecb2e571171b4db3d874b78572d36d345e7f14dba60',
    ledger_append: '08b1fc4a2331122189d3c3bba2c8247fe8c405429550387a82f4703e281de7c4',
    ledger_head: 'b3ab00d778d28261a19cfe57798a03ea8241fd54e4008a7857ea31db313ca831',
    ledger_is_claimed: 'ae87a18b5cc324d391c4118f5da3d846c43baf1e5b3105d8a0e606363fb42374',
    ledger_newest_of: '062ad9d36e16e87307ddd3279ab7d28b3cd9b74d83d6893414909f4bf40269ea',
    ledger_position_of: 'e7ec8d8988bf3053a4d334391ad9484b444507b221d1e75aed1b4b287e544513',
    ledger_refuses_change: '189cfebec4183e68e5fee8c52a3e8c67f5f7de8a8610bb19b59168277293d4b0',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, Functions1700000000018.installs);
  }

  down = noWayBack;
}
