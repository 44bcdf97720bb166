-- Where in the audit chain a logout stands, found from its receipt.
CREATE INDEX audit_of_receipt ON audit (tenant, detail ->> 'receipt')
    WHERE detail ->> 'receipt' IS NOT NULL;
