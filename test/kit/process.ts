// placeholder
export async function endLeftovers(): Promise<string[]> {
  return [];
}
