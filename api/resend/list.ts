// Lists as the client pages through them: by the id of the last item before (`after`) or of the first one behind (`before`).
import { z } from 'zod';
import { pageQuery } from '../fields.ts';

const cursor = z.uuid('must be the id of an item of this list').optional();

export const listQuery = z.strictObject({ limit: pageQuery.limit, after: cursor, before: cursor });

/** For lists that the API pages through in one direction only. */
export const forwardOnly = z.strictObject({ limit: pageQuery.limit, after: cursor });

/** From a page of the API. */
export const toList =
  <Item>(tell: (item: Item) => unknown) =>
  ({ data, has_more }: { readonly data: readonly Item[]; readonly has_more: boolean }) => ({
    object: 'list',
    has_more,
    data: data.map(tell),
  });
