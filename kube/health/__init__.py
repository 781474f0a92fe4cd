"""How replicas are asked whether they are well: what their kubelet asks, through a way that this account has."""
