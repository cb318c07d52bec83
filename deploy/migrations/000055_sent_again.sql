-- The email that this one sends again.
alter table email add column again_of uuid;
