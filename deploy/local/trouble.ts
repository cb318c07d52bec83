/** Something the person at the terminal can put right: its message is printed as it is, without a stack. */
export class Trouble extends Error {
  override readonly name = 'Trouble';
}
