/** Numbers for ids: fifty readers that each keep some ten thousand ids keep small integers instead. */
export class Ids {
  readonly #numbers = new Map<string, number>();
  readonly #names: string[] = [];

  numberOf(id: string): number {
    let number = this.#numbers.get(id);
    if (number === undefined) {
      number = this.#names.push(id) - 1;
      this.#numbers.set(id, number);
    }
    return number;
  }

  nameOf(number: number): string {
    return this.#names[number] ?? `#${number}`;
  }
}
